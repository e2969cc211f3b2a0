SELECT TOP 11 [day] AS dq_0, [made] AS dq_1, count(*) AS dq_2 
FROM [analytics].[orders] GROUP BY [day], [made]
