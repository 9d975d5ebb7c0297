"""Fogline's pages in Airflow's UI."""
