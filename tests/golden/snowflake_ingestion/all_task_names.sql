SELECT told.database_name, told.schema_name, told.name 
FROM (select distinct database_name, schema_name, name from snowflake.account_usage.task_history where completed_time >= dateadd(day, -30, current_timestamp()) limit 10000) AS told
