"""What the service can do: one function per use case, one transaction each.

Every function may be called again with the same arguments: what was done is found, not done twice.
All raise ``Unavailable`` when the database cannot be used; the errors of their own are named.
"""
