SELECT told.database_name, told.schema_name, told.name, told.file_name, told.last_load_time, told.row_count, told.row_parsed, told.error_count, told.first_error_message, told.status, told.pipe_name 
FROM (select cast(null as varchar) as database_name, cast(null as varchar) as schema_name, cast(null as varchar) as name, file_name, last_load_time, row_count, row_parsed, error_count, first_error_message, status, pipe_name from table("E:""u".information_schema.copy_history(table_name => %(object)s, start_time => cast(%(since)s as timestamp_ltz), end_time => cast(%(until)s as timestamp_ltz))) limit 10000) AS told
-- object: '"E:""u"."RAW"."small"'
-- since: '2026-11-20 00:00:00+00:00'
-- until: '2026-11-20 14:00:00+00:00'
