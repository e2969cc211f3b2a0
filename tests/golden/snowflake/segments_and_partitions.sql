SELECT dq_rows.dq_segment0, dq_rows.dq_segment1, dq_rows.dq_bucket, count(*) AS m0 
FROM (SELECT COLLATE(CAST("NAME" AS TEXT), '') AS dq_segment0, CAST("DAY" AS TEXT) AS dq_segment1, CASE WHEN ("MADE" IS NULL) THEN 2 WHEN ("MADE" >= CAST(%(param_1)s AS TIMESTAMP_NTZ) AND "MADE" < CAST(%(param_2)s AS TIMESTAMP_NTZ)) THEN 0 WHEN ("MADE" >= CAST(%(param_3)s AS TIMESTAMP_NTZ) AND "MADE" < CAST(%(param_4)s AS TIMESTAMP_NTZ)) THEN 1 ELSE -1 END AS dq_bucket 
FROM "PUBLIC"."ORDERS" 
WHERE "MADE" >= CAST(%(param_5)s AS TIMESTAMP_NTZ) AND "MADE" < CAST(%(param_6)s AS TIMESTAMP_NTZ)) AS dq_rows GROUP BY dq_rows.dq_segment0, dq_rows.dq_segment1, dq_rows.dq_bucket
 LIMIT %(param_7)s
-- param_1: datetime.datetime(2026, 3, 8, 1, 0)
-- param_2: datetime.datetime(2026, 3, 9, 1, 0)
-- param_3: datetime.datetime(2026, 3, 9, 1, 0)
-- param_4: datetime.datetime(2026, 3, 10, 1, 0)
-- param_5: datetime.datetime(2026, 3, 8, 1, 0)
-- param_6: datetime.datetime(2026, 3, 10, 1, 0)
-- param_7: 151
