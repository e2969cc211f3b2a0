SELECT told.database_name, told.schema_name, told.name 
FROM (select distinct database_name, schema_name, name from table(information_schema.task_history(result_limit => 10000)) limit 10000) AS told
