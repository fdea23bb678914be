"""Every SQL statement of the wallet service. Each function works on its caller's connection."""
