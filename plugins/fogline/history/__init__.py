"""The global models' history in a store of its own, Cassandra or MongoDB, filled from the ledger, which is the truth."""
