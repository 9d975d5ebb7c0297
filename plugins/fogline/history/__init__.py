"""The global models' history in a store of its own, Cassandra or MongoDB; the ledger, which fills it, is the truth."""
