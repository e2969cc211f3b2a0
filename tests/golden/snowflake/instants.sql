SELECT CASE WHEN (max(CASE WHEN ("MADE" <= CAST(%(param_1)s AS TIMESTAMP_NTZ)) THEN "MADE" END) >= CAST(%(param_2)s AS TIMESTAMP_NTZ)) THEN max(CASE WHEN ("MADE" <= CAST(%(param_1)s AS TIMESTAMP_NTZ)) THEN "MADE" END) END AS m0, CASE WHEN (max(CASE WHEN ("LOADED" <= CAST(%(param_3)s AS TIMESTAMP_TZ)) THEN "LOADED" END) >= CAST(%(param_4)s AS TIMESTAMP_TZ)) THEN max(CASE WHEN ("LOADED" <= CAST(%(param_3)s AS TIMESTAMP_TZ)) THEN "LOADED" END) END AS m1, CASE WHEN (max(CASE WHEN ("DAY" <= CAST(%(param_5)s AS TIMESTAMP_NTZ)) THEN "DAY" END) >= CAST(%(param_6)s AS TIMESTAMP_NTZ)) THEN max(CASE WHEN ("DAY" <= CAST(%(param_5)s AS TIMESTAMP_NTZ)) THEN "DAY" END) END AS m2, count(CASE WHEN ("LOADED" > CAST(%(param_7)s AS TIMESTAMP_TZ)) THEN 1 END) AS m3, max(((DATE_PART(EPOCH_MICROSECOND, "LOADED") - DATE_PART(EPOCH_MICROSECOND, CONVERT_TIMEZONE(%(param_8)s, 'UTC', CAST("MADE" AS TIMESTAMP_NTZ)))) / 1000000)) AS m4 
FROM "PUBLIC"."ORDERS"
-- param_1: datetime.datetime(2026, 3, 10, 12, 5)
-- param_2: datetime.datetime(1, 1, 2, 0, 0)
-- param_3: datetime.datetime(2026, 3, 10, 12, 5, tzinfo=datetime.timezone.utc)
-- param_4: datetime.datetime(1, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)
-- param_5: datetime.datetime(2026, 3, 10, 12, 5)
-- param_6: datetime.datetime(1, 1, 2, 0, 0)
-- param_7: datetime.datetime(2026, 3, 10, 12, 5, tzinfo=datetime.timezone.utc)
-- param_8: 'UTC'
