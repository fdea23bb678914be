"""Every SQL statement of the service. Functions take the caller's connection."""
