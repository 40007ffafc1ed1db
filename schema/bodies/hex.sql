select '0x' || pg_catalog.to_hex(value)
