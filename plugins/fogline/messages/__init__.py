"""The records that travel on Kafka and lie in the model store; pydantic models are their only definition."""
