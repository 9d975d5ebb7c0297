"""What Airflow sees of Fogline: the timetable, connections, forms, operators and sensors."""
