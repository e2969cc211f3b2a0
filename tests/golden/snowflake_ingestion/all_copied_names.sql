SELECT told.database_name, told.schema_name, told.name 
FROM (select distinct table_catalog_name as database_name, table_schema_name as schema_name, table_name as name from snowflake.account_usage.copy_history where last_load_time >= dateadd(day, -30, current_timestamp()) limit 10000) AS told
