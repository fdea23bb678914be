"""One-time barcodes, devices that make them offline, merchants, and the QR codes they print.

Owns two things. In PostgreSQL: merchants, devices, and what offline codes were used for. In Valkey:
barcodes -- inert ones in pools, live ones, and what became of them -- and who missed how many. All
of Valkey may be lost: that costs a customer a fresh code and nobody any money, because payment_svc
accepts each ``issuance_id`` only once, for ever.
Calls no other service and knows no balance.
"""
