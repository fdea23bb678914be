"""How any process runs: settings, server, channels, database, queue, batches, errors, logs, traces.

Two rules. The chassis knows processes, never payments (sole exception: ``Money``, because a second
money type is where rounding errors begin). And it imports no service; services stand on it.
"""
