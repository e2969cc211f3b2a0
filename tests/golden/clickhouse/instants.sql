SELECT CASE WHEN (max(CASE WHEN (`made` <= toDateTime64(fromUnixTimestamp64Micro(greatest(-9223372036854775, least(9223372036854775, toUnixTimestamp64Micro(%(param_1)s))), 'UTC'), 9, 'UTC')) THEN `made` END) >= toDateTime64(fromUnixTimestamp64Micro(greatest(-9223372036854775, least(9223372036854775, toUnixTimestamp64Micro(%(param_2)s))), 'UTC'), 9, 'UTC')) THEN max(CASE WHEN (`made` <= toDateTime64(fromUnixTimestamp64Micro(greatest(-9223372036854775, least(9223372036854775, toUnixTimestamp64Micro(%(param_1)s))), 'UTC'), 9, 'UTC')) THEN `made` END) END AS `m0`, CASE WHEN (max(CASE WHEN (`loaded` <= %(param_3)s) THEN `loaded` END) >= %(param_4)s) THEN max(CASE WHEN (`loaded` <= %(param_3)s) THEN `loaded` END) END AS `m1`, CASE WHEN (max(CASE WHEN (`day` <= %(param_5)s) THEN `day` END) >= %(param_6)s) THEN max(CASE WHEN (`day` <= %(param_5)s) THEN `day` END) END AS `m2`, count(CASE WHEN (`loaded` > %(param_7)s) THEN 1 END) AS `m3`, max(((toUnixTimestamp64Micro(CAST(`loaded` AS DateTime64(6, 'UTC'))) - toUnixTimestamp64Micro(CAST(fromUnixTimestamp64Micro(toUnixTimestamp64Micro(CAST(`made` AS DateTime64(6, 'UTC'))), 'UTC') AS DateTime64(6, 'UTC')))) / 1000000)) AS `m4` 
FROM `analytics`.`orders`
-- param_1: datetime.datetime(2026, 3, 10, 12, 5)
-- param_2: datetime.datetime(1, 1, 2, 0, 0)
-- param_3: datetime.datetime(2026, 3, 10, 12, 5, tzinfo=datetime.timezone.utc)
-- param_4: datetime.datetime(1, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)
-- param_5: datetime.datetime(2026, 3, 10, 12, 5)
-- param_6: datetime.datetime(1, 1, 2, 0, 0)
-- param_7: datetime.datetime(2026, 3, 10, 12, 5, tzinfo=datetime.timezone.utc)
-- param_8: 'UTC'
