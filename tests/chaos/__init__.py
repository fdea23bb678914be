"""The breaking yard: everybody pays while everything breaks, and afterwards every cent is counted.

    schedule    which fault when: a pure function of the seed
    load        the people who pay, and what they were answered
    faults      how each fault is done to a running system
    snapshot    the books of all services at rest
    observer    looks into the books meanwhile: what is final must stay as it is
    checks      what must be true of the books; answers: of what people were answered
    report      how runs are told to people
    yard        one run: start, load, break, heal, come to rest, check
    planted     protections that are taken out on purpose, to see that the yard notices
    site/       code that the broken system's processes load first: planted bugs and wrong clocks

``make chaos SEED=1 MINUTES=5`` runs it; docs/reliability.md says what it has shown.
"""
