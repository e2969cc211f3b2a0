SELECT told.database_name, told.schema_name, told.name, told.state, told.state_message, told.data_timestamp, told.refresh_start_time, told.refresh_end_time, told.completion_target 
FROM (select database_name, schema_name, name, state, state_message, data_timestamp, refresh_start_time, refresh_end_time, completion_target from snowflake.account_usage.dynamic_table_refresh_history where refresh_end_time >= cast(%(since)s as timestamp_ltz) and refresh_end_time < cast(%(until)s as timestamp_ltz) limit 10000) AS told
-- since: '2026-11-20 00:00:00+00:00'
-- until: '2026-11-20 14:00:00+00:00'
