"""One-time barcodes, merchants, and the QR codes that merchants print.

Owns two things. In PostgreSQL: merchants. In Valkey: barcodes -- inert ones in pools, live ones,
and what became of them. All of Valkey may be lost: that costs a customer a fresh code and nobody
any money, because payment_svc accepts each ``issuance_id`` only once, for ever.
Calls no other service and knows no balance.
"""
