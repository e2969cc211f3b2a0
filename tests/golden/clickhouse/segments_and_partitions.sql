SELECT `dq_rows`.`dq_segment0`, `dq_rows`.`dq_segment1`, `dq_rows`.`dq_bucket`, count(*) AS `m0` 
FROM (SELECT CAST(`name` AS TEXT) AS `dq_segment0`, CAST(`day` AS TEXT) AS `dq_segment1`, CASE WHEN (`made` IS NULL) THEN 2 WHEN (`made` >= toDateTime64(fromUnixTimestamp64Micro(greatest(-9223372036854775, least(9223372036854775, toUnixTimestamp64Micro(%(param_1)s))), 'UTC'), 9, 'UTC') AND `made` < toDateTime64(fromUnixTimestamp64Micro(greatest(-9223372036854775, least(9223372036854775, toUnixTimestamp64Micro(%(param_2)s))), 'UTC'), 9, 'UTC')) THEN 0 WHEN (`made` >= toDateTime64(fromUnixTimestamp64Micro(greatest(-9223372036854775, least(9223372036854775, toUnixTimestamp64Micro(%(param_3)s))), 'UTC'), 9, 'UTC') AND `made` < toDateTime64(fromUnixTimestamp64Micro(greatest(-9223372036854775, least(9223372036854775, toUnixTimestamp64Micro(%(param_4)s))), 'UTC'), 9, 'UTC')) THEN 1 ELSE -1 END AS `dq_bucket` 
FROM `analytics`.`orders` 
WHERE `made` >= toDateTime64(fromUnixTimestamp64Micro(greatest(-9223372036854775, least(9223372036854775, toUnixTimestamp64Micro(%(param_5)s))), 'UTC'), 9, 'UTC') AND `made` < toDateTime64(fromUnixTimestamp64Micro(greatest(-9223372036854775, least(9223372036854775, toUnixTimestamp64Micro(%(param_6)s))), 'UTC'), 9, 'UTC')) AS `dq_rows` GROUP BY `dq_rows`.`dq_segment0`, `dq_rows`.`dq_segment1`, `dq_rows`.`dq_bucket`
 LIMIT %(param_7)s
-- param_1: datetime.datetime(2026, 3, 8, 1, 0)
-- param_2: datetime.datetime(2026, 3, 9, 1, 0)
-- param_3: datetime.datetime(2026, 3, 9, 1, 0)
-- param_4: datetime.datetime(2026, 3, 10, 1, 0)
-- param_5: datetime.datetime(2026, 3, 8, 1, 0)
-- param_6: datetime.datetime(2026, 3, 10, 1, 0)
-- param_7: 151
