"""Queries, and whether Prometheus takes them; `promtool/test_promql.py` asks it."""

GOOD = """
x
x_total
x{}
{a="b"}
x{a="b",c!="d",e=~"f.*",g!~"h|i"}
x{a="b",}
x{a='b',c=`d\\`}
x{a="\\u00fc\\n\\""}
{__name__="x"}
{a=~".+"}
x[5m]
x[1h30m]
x offset 5m
x offset -5m
x @ 1609746000
x @ start()
x @ end() offset 1w
x[5m] offset 1d
rate(x[5m])
rate(x[5m] @ 10 offset 5m)
rate(x[5m:1m])
rate(x[5m:])
max_over_time(rate(x[5m])[1h:1m])
sum_over_time((x > 1)[1h:])
sum(x)
sum by (a) (x)
sum by (a, b,) (x)
sum without (a) (x)
sum(x) by (a)
sum by () (x)
SUM BY (a) (x)
topk(5, x)
quantile(0.9, x)
count_values("v", x)
bottomk(scalar(y), x)
group(x)
stddev(x) by (job)
avg(rate(x[5m])) * 100
1
-1
+1.5e3
.5
0x1F
Inf
-inf
NaN
1 + 2 * 3 ^ 4 ^ 5 % 6 / 7 - 8
-x
-x ^ 2
- - x
2 ^ -1
x + y
x + on (a) y
x * ignoring (a, b) group_left y
x / on (a) group_right (b, c) y
x == y
x > bool 5
1 < bool 2
x and y
x or on (a) y
x unless ignoring (a) y
x atan2 y
(x)
((x + 1)) / 2
histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))
histogram_quantile(scalar(y), x)
label_replace(x, "a", "$1", "b", "(.*)")
label_join(x, "a", ",", "b", "c")
label_join(x, "a", ",")
round(x)
round(x, 5)
clamp_max(x, 1)
clamp(x, 0, 1)
time()
vector(1)
vector(time())
scalar(x) + 1
absent(x{a="b"})
absent_over_time(x[5m])
changes(x[5m])
day_of_week()
hour(x)
minute(vector(time()))
predict_linear(x[1h], 3600)
holt_winters(x[5m], 0.5, 0.5)
quantile_over_time(0.5, x[5m])
pi() * 2
sort_desc(x)
timestamp(x)
job:x:rate5m
:x
sum(rate(x[5m])) / sum(rate(y[5m])) > 0.5 and on () z > 1
x # a comment
x{a="#"}
sum
avg + 1
min{a="b"}
start
x{by="a", sum="b"}
x == bool on (a) y
(x @ 5)[5m:1m]
x[5m:1m] offset 5m
x offset 5m @ 5
x != 1
x <= 1 or vector(0)
(x)[5m:] offset 5m
by
1 + on () x
"a text"
'a text'
""".strip().splitlines()

BAD = """
x{
x}
x{a}
x{a=}
x{a=b}
x{a="b"
x{a="b" c="d"}
x{,}
x{1a="b"}
x{a:b="c"}
x{a=="b"}
{}
{a=""}
{a=~".*"}
{a!="b"} or
x{__name__="y"}
x{a=~"("}
x[5]
x[5m
x[]
x[0s]
x[5m5m]
x[1m1h]
x[5m][5m]
rate(x[5m])[5m]
(x + y)[5m]
x offset
x offset 5
x offset 5m offset 5m
x @
x @ y
x @ 1 @ 2
rate(x offset 5m[5m])
sum(x) offset 5m
rate(x)
rate(x, 5m)
rate()
rate(x[5m]
rates(x[5m])
sum(x[5m])
sum()
sum(x, y)
sum by a (x)
sum by (a)
sum by (a) (x) by (b)
sum(1)
topk(x)
topk(x, 5)
topk("a", x)
count_values(1, x)
quantile(0.9)
by (a)
1 +
* 1
1 2
x y
x + "a"
x[5m] + 1
-"a"
-x[5m]
1 < 2
1 and 2
x and 1
x or on a y
x + on (a) 1
x and on (a) group_left y
x + bool y
x + group_left y
x ignoring (a) + y
histogram_quantile(x)
histogram_quantile(x, 0.5)
label_replace(x, "a")
clamp_max(x)
scalar(1)
vector(x)
time(1)
absent(1)
x =~ "a"
x = 1
!x
x ! y
x $ y
$x
x{a="$b"}}
"a
'a
x{a="\\q"}
(x
x)
()
,
5m +
1.2.3
0x
1e
x.y
x[5m:1m
x["5m"]
x[$__rate_interval]
sum(x) sum(y)
round(x, 1, 2)
hour(x, y)
x[5m:0s:1m]
sum(x,)
x @ 1e19
x[16097460005m]
x{a="\\'"}
sum by (without) (x)
x / on (a) group_right (b, a) y
(x) offset 5m
(x)[5m]
(x) @ start()
x offset +5m
1e999
bool
sum by (nan) (x)
rate(1[5m:])
rate(x[5m],)
""".strip().splitlines()
