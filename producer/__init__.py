"""The producer tier: it replays or makes sensor readings and publishes them."""
