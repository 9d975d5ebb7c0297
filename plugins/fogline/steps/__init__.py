"""The steps of a round, against the ledger, Kafka and the model store; Airflow's tasks call them and nothing else.

The order of the writes within each step is argued in its docstring: a step may be killed between any two of them.
"""
