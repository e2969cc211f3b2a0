SELECT count(CASE WHEN ((`amount` < :`param_1` OR `amount` > :`param_2`) AND NOT (`amount` IS NULL OR false)) THEN 1 END) AS m0, count(CASE WHEN ((`id` < :`param_3` OR `id` > :`param_4`) AND `id` IS NOT NULL) THEN 1 END) AS m1, count(CASE WHEN ((`rate` < :`param_5` OR `rate` > :`param_6` OR (`rate` = CAST('NaN' AS DOUBLE))) AND `rate` IS NOT NULL) THEN 1 END) AS m2, count(CASE WHEN ((`day` < :`param_7` OR `day` > :`param_8`) AND `day` IS NOT NULL) THEN 1 END) AS m3, count(CASE WHEN (`made` > :`param_9` AND `made` IS NOT NULL) THEN 1 END) AS m4, count(CASE WHEN (`loaded` > :`param_10` AND `loaded` IS NOT NULL) THEN 1 END) AS m5 
FROM `analytics`.`orders`
-- param_1: 'number 0.01'
-- param_2: 'number 1000000'
-- param_3: 'number 1'
-- param_4: 'number 99999999999999999999'
-- param_5: 1e-07
-- param_6: inf
-- param_7: datetime.datetime(2026, 1, 1, 0, 0)
-- param_8: datetime.datetime(2026, 12, 31, 0, 0)
-- param_9: datetime.datetime(2026, 12, 31, 12, 0)
-- param_10: datetime.datetime(2026, 12, 31, 10, 0, tzinfo=datetime.timezone.utc)
