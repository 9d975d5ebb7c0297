"""What a round is, as pure functions: no Airflow, no Spark, no Kafka, no database, no clock."""
