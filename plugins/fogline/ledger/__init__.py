"""The ledger: the record of rounds, plans, answers with verdicts, seals, models and head moves. It is the truth."""

URL_VARIABLE = "FOGLINE_LEDGER_URL"
