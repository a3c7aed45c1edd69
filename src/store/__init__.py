"""The SQL below `db_manager`: migrations of the schema."""
