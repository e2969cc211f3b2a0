SELECT count(CASE WHEN (("AMOUNT" < %(param_1)s OR "AMOUNT" > %(param_2)s) AND NOT ("AMOUNT" IS NULL OR false)) THEN 1 END) AS m0, count(CASE WHEN (("ID" < %(param_3)s OR "ID" > %(param_4)s) AND "ID" IS NOT NULL) THEN 1 END) AS m1, count(CASE WHEN (("RATE" < %(param_5)s OR "RATE" > %(param_6)s OR ("RATE" = CAST('NaN' AS FLOAT))) AND "RATE" IS NOT NULL) THEN 1 END) AS m2, count(CASE WHEN (("DAY" < CAST(%(param_7)s AS TIMESTAMP_NTZ) OR "DAY" > CAST(%(param_8)s AS TIMESTAMP_NTZ)) AND "DAY" IS NOT NULL) THEN 1 END) AS m3, count(CASE WHEN ("MADE" > CAST(%(param_9)s AS TIMESTAMP_NTZ) AND "MADE" IS NOT NULL) THEN 1 END) AS m4, count(CASE WHEN ("LOADED" > CAST(%(param_10)s AS TIMESTAMP_TZ) AND "LOADED" IS NOT NULL) THEN 1 END) AS m5 
FROM "PUBLIC"."ORDERS"
-- param_1: 'number 0.01'
-- param_2: 1000000
-- param_3: 1
-- param_4: 99999999999999999999
-- param_5: 1e-07
-- param_6: 'inf'
-- param_7: datetime.datetime(2026, 1, 1, 0, 0)
-- param_8: datetime.datetime(2026, 12, 31, 0, 0)
-- param_9: datetime.datetime(2026, 12, 31, 12, 0)
-- param_10: datetime.datetime(2026, 12, 31, 10, 0, tzinfo=datetime.timezone.utc)
