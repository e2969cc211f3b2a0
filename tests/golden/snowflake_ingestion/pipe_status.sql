SELECT system$pipe_status(%(system_pipe_status_1)s) AS told
-- system_pipe_status_1: '"RAW"."ORDERS"'
