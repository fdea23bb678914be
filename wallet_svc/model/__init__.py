"""Pure decisions about owners, wallets and transfers: no I/O, no clock, no randomness."""
