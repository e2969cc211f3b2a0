SELECT told.database_name, told.schema_name, told.name, told.file_name, told.last_load_time, told.row_count, told.row_parsed, told.error_count, told.first_error_message, told.status, told.pipe_name 
FROM (select table_catalog_name as database_name, table_schema_name as schema_name, table_name as name, file_name, last_load_time, row_count, row_parsed, error_count, first_error_message, status, pipe_name from snowflake.account_usage.copy_history where last_load_time >= cast(%(since)s as timestamp_ltz) and last_load_time < cast(%(until)s as timestamp_ltz) limit 10000) AS told
-- since: '2026-11-20 00:00:00+00:00'
-- until: '2026-11-20 14:00:00+00:00'
