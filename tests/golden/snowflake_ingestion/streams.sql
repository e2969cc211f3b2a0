SELECT told.database_name, told.schema_name, told.name, told.stale_after 
FROM (select stream_catalog as database_name, stream_schema as schema_name, stream_name as name, stale_after from snowflake.account_usage.streams where deleted is null limit 10000) AS told
