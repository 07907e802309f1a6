"""PostgreSQL: migrations, the pool, and one module for each aggregate."""
