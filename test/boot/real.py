"""Programs that people use, made by the command in README.md, do in vmos what they do natively."""
import subprocess

import vm

SQL = b"""create table t(n integer primary key, word text, x real);
with recursive c(n) as (select 1 union all select n + 1 from c where n < 20000)
    insert into t select n, printf('%05d', n * 7919 % 20000), n / 7.0 from c;
create index by_word on t(word);
select count(*), sum(n), round(avg(x), 6), min(word), max(word) from t;
select n, word from t order by word desc, n limit 3;
select substr(word, 1, 1) as first, count(*), total(x) from t group by first order by 2 desc, 1;
begin; delete from t where n % 3; rollback;
select count(*) from t where word like '%77';
select nowhere from t;
with recursive big(s) as (select 'x' union all select s || s from big where length(s) < 1000000)
    select max(length(s)), hex(substr(max(s), 1, 3)) from big;
select upper('done'), null, strftime('%Y', 0, 'unixepoch'), typeof(x'00'), json_extract('{"a":[1,2]}', '$.a[1]') from t limit 1
"""

LUA = b"""local words, seen = {}, 0
for i = 1, 20000 do words[i] = ("%05d"):format(i * 7919 % 20000) end
table.sort(words, function(a, b) return a > b end)
print(#words, words[1], words[20000], arg[1], arg[2])
local function count(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
for i in count(1000) do seen = seen + i end
print(seen, ("key=value; a=b"):gsub("(%w+)=(%w+)", "%2=%1"))
local big = {}
for round = 1, 4 do big = {} for i = 1, 20000 do big[i] = {i, tostring(i)} end end
collectgarbage()
print(collectgarbage("count") < 20000, math.type(2^53), 7 // 2, -7 % 3, string.pack("<i4", 77):byte(1, -1))
print(pcall(error, {code = 2}), select("#", table.unpack({}, 1, 200)), utf8.char(228, 8364), os.getenv("A"))
print(os.time{year=2026, month=11, day=30, hour=12}, io.read and io.type(io.stdout), io.open("/nowhere/file"))
io.stderr:write("to standard error\\n")
error("the end")
"""


def same(name, args, input):
    """Standard output and error come one after another natively, too: both go to one place."""
    program = vm.ROOT / vm.run(["./build.sh", "program", name], timeout=600).decode().split()[-1]
    natively = subprocess.run([program, *args], input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=vm.HANG,
                              env={"A": "b c", "TZ": "UTC0"}, cwd="/proc")  # where no file can be made either
    result = vm.boot(program, args, input=input, env=["A=b c", "TZ=UTC0"], name=name)
    vm.expect(f"what {name} {args} printed", result.com1.decode(), natively.stdout.decode())
    result.expect(natively.returncode)
    missing = [line for line in result.log.splitlines() if "system call" in line]
    vm.expect(f"calls that {name} {args} misses", missing, [])


def busybox():
    same("busybox", ["sh", "-c", "n=0; while read a b; do n=$((n + b)); done; echo $n $0 $#; exit 3"], b"x 40\ny 2\n")
    same("busybox", ["sort", "-r"], b"".join(b"%05d\n" % (n * 7919 % 6000) for n in range(6000)))
    same("busybox", ["sed", "-n", "s/a\\(.*\\)z/[\\1]/p"], b"abcz\nxyz\na z\n")


def lua():
    same("lua", ["-e", "print(_VERSION, 1 << 40, 10 / 4)", "-e", "print(...)"], b"")
    same("lua", ["-e", "x = ", "-e", "print(1)"], b"")
    same("lua", ["-", "one", "two"], LUA)


def sqlite3():
    same("sqlite3", [], SQL)
    same("sqlite3", [":memory:"], b"select 1;\nselect 2 from;\nselect 3;\n")


def tests():
    for test in busybox, lua, sqlite3:
        yield test.__name__, test
