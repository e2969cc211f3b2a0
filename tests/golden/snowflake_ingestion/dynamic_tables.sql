SELECT told.database_name, told.schema_name, told.name, told.latest_data_timestamp, told.scheduling_state 
FROM (select database_name, schema_name, name, latest_data_timestamp, cast(scheduling_state as varchar) as scheduling_state from table(information_schema.dynamic_tables(result_limit => 10000)) limit 10000) AS told
