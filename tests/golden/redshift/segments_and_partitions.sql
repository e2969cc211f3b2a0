SELECT dq_rows.dq_segment0, dq_rows.dq_segment1, dq_rows.dq_bucket, count(*) AS m0 
FROM (SELECT COLLATE(CAST("name" AS VARCHAR(65535)), 'case_sensitive') AS dq_segment0, COLLATE(CAST("day" AS VARCHAR(65535)), 'case_sensitive') AS dq_segment1, CASE WHEN ("made" IS NULL) THEN 2 WHEN ("made" >= %(param_1)s AND "made" < %(param_2)s) THEN 0 WHEN ("made" >= %(param_3)s AND "made" < %(param_4)s) THEN 1 ELSE -1 END AS dq_bucket 
FROM "analytics"."orders" 
WHERE "made" >= %(param_5)s AND "made" < %(param_6)s) AS dq_rows GROUP BY dq_rows.dq_segment0, dq_rows.dq_segment1, dq_rows.dq_bucket 
 LIMIT %(param_7)s
-- param_1: datetime.datetime(2026, 3, 8, 1, 0)
-- param_2: datetime.datetime(2026, 3, 9, 1, 0)
-- param_3: datetime.datetime(2026, 3, 9, 1, 0)
-- param_4: datetime.datetime(2026, 3, 10, 1, 0)
-- param_5: datetime.datetime(2026, 3, 8, 1, 0)
-- param_6: datetime.datetime(2026, 3, 10, 1, 0)
-- param_7: 151
