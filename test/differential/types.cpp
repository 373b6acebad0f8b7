#include "types.hpp"

#include <stdexcept>

namespace differential {
namespace {

using Pool = std::vector<std::string>;

// Every character that a URL, PostgREST's grammar, LIKE or an array literal gives a meaning to.
const Pool &Strings() {
  static const Pool pool = {
      "",
      " ",
      "  ",
      "a",
      "A",
      "b",
      "B",
      "ab",
      "aB",
      "AB",
      "abc",
      "abd",
      " a",
      "a ",
      " a ",
      "null",
      "NULL",
      "Null",
      "true",
      "false",
      "t",
      "(null)",
      "a,b",
      ",",
      ",,",
      ".",
      "a.b",
      "..",
      ":",
      "a:b",
      "::",
      "(",
      ")",
      "()",
      "(a,b)",
      ")(",
      "\"",
      "\"\"",
      "\"a\"",
      "a\"b",
      "\"a,b\"",
      "\\",
      "\\\\",
      "a\\",
      "\\a",
      "\\\"",
      "a\\b",
      "*",
      "a*b",
      "**",
      "a*",
      "*b",
      "%",
      "a%b",
      "%%",
      "_",
      "a_b",
      "__",
      "\\%",
      "\\_",
      "\\*",
      "&",
      "a&b=c",
      "&&",
      "+",
      "a+b",
      "=",
      "a=b",
      "#",
      "a#b",
      ";",
      "a;b",
      "?",
      "a?b",
      "/",
      "//",
      "{",
      "}",
      "{a,b}",
      "{}",
      "'",
      "''",
      "a'b",
      "<",
      ">",
      "<a>",
      "|",
      "^",
      "$",
      "$1",
      "[",
      "]",
      "[a]",
      "~",
      "`",
      "!",
      "a!b",
      "@",
      "-",
      "--",
      "%20",
      "%2C",
      "%00",
      "%25",
      "\n",
      "a\nb",
      "\t",
      "\r\n",
      "\x01",
      "\x7f",
      "é",
      "É",
      "ß",
      "ẞ",
      "日本",
      "😀",
      "e\xcc\x81",
      "\xe2\x80\x8b",
      "\xc2\xa0",
      "İ",
      "ı",
      "eq.1",
      "in.(1,2)",
      "not.is.null",
      "is.null",
      "1",
      "01",
      "1.0",
      "select",
      "a->>b",
      "c0:x",
      "a long one, with (brackets), \"quotes\", \\backslashes\\ & ampersands; 100% of *it* = 'more' than + a # few ?"};
  return pool;
}

// Those that fit into so many characters (or bytes) and keep what they end with.
Pool Short(size_t length, bool bytes, bool trailing_blanks) {
  Pool pool;
  for (const std::string &text : Strings()) {
    size_t size = 0;
    for (const char c : text)
      size += bytes || (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    if (size <= length && (trailing_blanks || text.empty() || text.back() != ' ')) pool.push_back(text);
  }
  return pool;
}

Pool SingleBytes() {
  Pool pool;
  for (const std::string &text : Strings()) {
    if (text.size() == 1) pool.push_back(text);
  }
  return pool;
}

const char *const kJsonValues[] = {R"({"a": 1})",
                                   R"({"a":1, "n":2})",
                                   R"( {"b" : [1,2 ,3]})",
                                   "null",
                                   R"("x")",
                                   "1",
                                   "1.0",
                                   "1e3",
                                   "[]",
                                   "{}",
                                   R"({"a":null})",
                                   R"({"a":{"b":"c"}})",
                                   R"({"a":{"b":null}})",
                                   R"({"a":"x,y"})",
                                   R"({"a":"*"})",
                                   R"({"a":"(q)\"\\"})",
                                   R"({"é":"ü"})",
                                   R"({"a b":1,"c.d":"e\"f"})",
                                   R"("\u0041")",
                                   "true",
                                   R"({"n":5})",
                                   R"({"n":"7"})",
                                   R"({"n":-3,"a":""})",
                                   R"({"a":"null"})",
                                   R"(["a","b"])",
                                   R"([1,[2,3],{"a":"x"}])",
                                   R"({"a":[1,2],"b":true})",
                                   R"({"a":" x "})",
                                   "-0.0",
                                   R"("a")",
                                   R"({"a":"a"})",
                                   R"({"a":"A"})",
                                   R"({"a":"b","b":"a"})",
                                   "\"tab\\tnew\\nline\"",
                                   "123456789012345678901234567890"};

Pool JsonValues(bool text) {
  Pool pool(std::begin(kJsonValues), std::end(kJsonValues));
  if (text) {
    pool.insert(pool.end(), {R"({"a":1,"a":2})", " [1 ,\n2]", R"({"a":0.10})"});
  }
  return pool;
}

const Pool kInt4 = {"0",  "1",   "-1",   "2",          "3",           "5",     "7", "10",
                    "42", "100", "-100", "2147483647", "-2147483648", "32768", "8"};
const Pool kTimestamps = {"infinity",
                          "-infinity",
                          "2024-03-31 02:30:00",
                          "2024-10-27 01:30:00.123456",
                          "1970-01-01 00:00:00",
                          "294276-12-31 23:59:59.999999",
                          "4713-01-01 00:00:00 BC",
                          "1900-01-01 00:00:00",
                          "0044-03-15 12:00:00 BC",
                          "2000-02-29 23:59:59.9",
                          "2024-03-10 02:30:00",
                          "2024-11-03 01:30:00",
                          "1999-12-31 00:00:00",
                          "2001-02-03 04:05:06",
                          "2023-01-02 12:00:00"};

Pool WithZone(const char *zone) {
  Pool pool;
  for (const std::string &text : kTimestamps) {
    const size_t bc = text.find(" BC");
    if (text.find("inf") != std::string::npos) {
      pool.push_back(text);
    } else if (bc != std::string::npos) {
      pool.push_back(text.substr(0, bc) + zone + " BC");
    } else {
      pool.push_back(text + zone);
    }
  }
  return pool;
}

// Rounded to seconds, the last moment that there is becomes one that cannot be read.
Pool WholeSeconds() {
  Pool pool;
  for (const std::string &text : WithZone("+00")) {
    if (text.compare(0, 4, "2942") != 0) pool.push_back(text);
  }
  return pool;
}

Pool Moments() {
  Pool pool = WithZone("+00");
  pool.insert(pool.end(), {"2024-03-31 01:00:00+00", "2024-03-31 00:59:59.999999+00", "1880-06-01 00:00:00+00",
                           "2024-10-27 00:30:00+00", "2024-02-29 12:34:56.789+05:30"});
  return pool;
}

constexpr uint32_t kPlain = kEqual | kOrdered | kGroup | kSame;

std::vector<Type> Numbers() {
  return {
      {"b", "bool", kPlain | kBoolean, {"t", "f"}},
      {"i2",
       "int2",
       kPlain | kNumber | kInteger | kSum | kMinMax,
       {"0", "1", "-1", "2", "3", "7", "10", "42", "32767", "-32768", "100"}},
      {"i4", "int4", kPlain | kNumber | kInteger | kSum | kMinMax, kInt4},
      {"i8",
       "int8",
       kPlain | kNumber | kInteger | kSum | kMinMax,
       {"0", "1", "-1", "2", "3", "5", "42", "9223372036854775807", "-9223372036854775808", "9007199254740993",
        "2147483648", "-2147483649", "4294967296"}},
      {"num",
       "numeric",
       kPlain | kNumber | kSum | kMinMax,
       {"0",
        "0.0",
        "1",
        "1.0",
        "1.00",
        "-1",
        "0.1",
        "0.10",
        "123456789012345678901234567890.123456789",
        "1e50",
        "-0.000000000000000000000000000001",
        "NaN",
        "Infinity",
        "-Infinity",
        "9223372036854775807",
        "9223372036854775808",
        "2147483648",
        "1.5",
        "2.50",
        "2.5",
        "99.99",
        "3",
        "7",
        "10",
        "42"},
       "trim_scale(%)"},
      {"num2",
       "numeric(8,2)",
       kPlain | kNumber | kSum | kMinMax,
       {"0", "1", "-1", "1.5", "2.25", "999999.99", "-999999.99", "0.01", "42", "7.10", "NaN"}},
      {"f4",
       "float4",
       kPlain | kNumber | kMinMax | kSingle,
       {"0", "-0", "1", "-1", "0.1", "0.25", "3.4028235e38", "1e-45", "NaN", "Infinity", "-Infinity", "16777217", "3",
        "42", "1.5", "0.3"},
       "(% + 0)"},
      {"f8",
       "float8",
       kPlain | kNumber | kMinMax,
       {"0",
        "-0",
        "1",
        "-1",
        "0.1",
        "0.25",
        "1.7976931348623157e308",
        "2.2250738585072014e-308",
        "5e-324",
        "NaN",
        "Infinity",
        "-Infinity",
        "123456.789",
        "1e15",
        "1e16",
        "0.30000000000000004",
        "3",
        "42",
        "0.3",
        "1.5"},
       "(% + 0)"},
      // Multiples of 1/4: their sums are exact.
      {"f8x", "float8", kPlain | kNumber | kMinMax | kSum, {"0", "1", "-1", "0.25", "2.5", "-3.75", "42", "1024", "7"}},
      {"oid", "oid", kPlain | kMinMax, {"0", "1", "42", "2147483648", "4294967295", "16384"}},
      {"money", "money", kPlain | kMinMax | kSum, {"0", "1", "-5.50", "1234.50", "0.10", "42", "99999.99"}},
      {"lsn", "pg_lsn", kPlain | kMinMax, {"0/0", "0/1", "16/B374D848", "FFFFFFFF/FFFFFFFF"}},
      {"bit5", "bit(5)", kPlain, {"00000", "11111", "10101", "00001"}},
      {"vbit", "varbit", kPlain, {"", "1", "0", "0101", "11111111", "00"}},
  };
}

std::vector<Type> Texts() {
  return {
      {"t", "text", kPlain | kPattern | kString | kMinMax, Strings()},
      {"t2", "text", kPlain | kPattern | kString | kMinMax, Strings()},
      {"vc", "varchar(12)", kPlain | kPattern | kString | kMinMax, Short(12, false, true)},
      {"ch", "char(6)", kPlain | kPattern | kString | kMinMax, Short(6, false, false)},
      {"nm", "name", kPlain | kPattern | kString, Short(60, true, true)},
      {"c1", "\"char\"", kPlain, SingleBytes()},
      {"ba",
       "bytea",
       kPlain,
       {"\\x", "\\x00", "\\xdeadbeef", "\\x5c", "\\x27", "\\x2a252c", "\\xff", "\\x61", "\\x6162", "\\x22"}},
      {"uuid",
       "uuid",
       kPlain,
       {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174001",
        "6f0c9d5e-0000-4000-8000-000000000001"}},
      {"ci",
       "citext",
       kPlain | kPattern | kMinMax,
       {"a", "A", "ab", "AB", "aB", "é", "É", "", "a,b", "null", "\"", "\\", "*", "%", "x y"},
       "lower((%)::text)"},
      {"mood",
       "diff_mood",
       kPlain | kMinMax,
       {"sad", "ok", "happy", "so, so", "it's \"fine\"", "par(en", "*", "ANGRY", ""}},
      {"dpos", "diff_positive", kPlain | kNumber | kMinMax, {"1", "2", "3", "42", "100", "2147483647"}},
      {"dtext", "diff_short", kPlain | kPattern | kMinMax, Short(20, false, true)},
      {"xml", "xml", 0, {"<a/>", "<a b=\"c\">t &amp; u</a>", "text", "<x>é,(*)</x>"}},
      {"json", "json", kJson, JsonValues(true)},
      {"jb", "jsonb", kEqual | kOrdered | kJson | kJsonb | kSame, JsonValues(false)},
      {"hs",
       "hstore",
       kEqual | kHstore,
       {"", "\"a\"=>\"1\"", "\"a\"=>NULL", "\"a,b\"=>\"c\\\"d\"", "x=>\"1\", y=>\"2\"", "a=>\"x y\""}},
      {"lt", "ltree", kPlain | kTree, {"", "a", "a.b", "a.b.c", "top.science", "top", "A.b"}},
      {"tsv",
       "tsvector",
       kEqual | kOrdered | kSearch | kGroup | kSame,
       {"", "'a':1 'b':2", "'quick':2 'brown':3A 'fox':4", "'fox'", "'it''s':1 'a,b':2", "'sad':1 'cat':2", "'é':3",
        "'brown':1 'quick':2"}},
      {"tsq", "tsquery", kEqual, {"'a'", "'a' & 'b'", "!'fox'", "'quick' <-> 'brown'"}},
      {"pair", "diff_pair", 0, {"(1,a)", "(,)", "(2,\"x,y\")", "(3,\"\")", "(4,\"q\"\"\\\\\")"}},
  };
}

std::vector<Type> Times() {
  return {
      {"d",
       "date",
       kPlain | kMoment | kMinMax,
       {"infinity", "-infinity", "0044-03-15 BC", "4713-01-01 BC", "5874897-12-31", "1970-01-01", "2000-02-29",
        "2024-02-29", "2024-03-31", "2024-10-27", "1999-12-31", "2023-01-02", "2001-02-03", "2011-11-11"}},
      {"tm",
       "time",
       kPlain | kMinMax,
       {"00:00", "24:00:00", "12:34:56.789012", "23:59:59.999999", "02:30", "01:02:03"}},
      {"tmz",
       "timetz",
       kPlain | kMinMax,
       {"00:00+00", "12:00:00+05:30", "12:00-08", "23:59:59.999999+14", "24:00+00", "06:30:00+00"}},
      {"ts", "timestamp", kPlain | kMoment | kMinMax, kTimestamps},
      {"tz", "timestamptz", kPlain | kMoment | kMinMax, Moments()},
      {"tz0", "timestamptz(0)", kPlain | kMoment | kMinMax, WholeSeconds()},
      {"iv",
       "interval",
       kEqual | kOrdered | kSame,
       {"0", "1 day", "24:00:00", "-1 day", "1 mon", "30 days", "1 year 2 mons 3 days 04:05:06.789",
        "-1 year -2 mons +3 days -04:05:06", "1 mon -1 day", "00:00:00.000001", "100 years", "-00:00:01"}},
      {"inet",
       "inet",
       kPlain | kNetwork | kMinMax,
       {"0.0.0.0", "127.0.0.1", "192.168.1.0/24", "10.0.0.1/8", "::1", "2001:db8::/32", "::ffff:1.2.3.4",
        "255.255.255.255", "192.168.1.5", "192.168.1.5/24"}},
      {"cidr", "cidr", kPlain | kNetwork, {"10.0.0.0/8", "192.168.1.0/24", "::/0", "2001:db8::/32", "127.0.0.1/32"}},
      {"mac", "macaddr", kPlain, {"00:00:00:00:00:00", "08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"}},
      {"mac8", "macaddr8", kPlain, {"08:00:2b:01:02:03:04:05", "ff:ff:ff:ff:ff:ff:ff:ff"}},
  };
}

std::vector<Type> Compounds() {
  return {
      {"i4a",
       "int4[]",
       kPlain | kArray,
       {"{}", "{1}", "{1,2}", "{2,1}", "{1,NULL}", "{NULL}", "{{1,2},{3,4}}", "[2:3]={5,7}", "{42,42}", "{2147483647}"},
       "",
       "int4"},
      {"ta",
       "text[]",
       kPlain | kArray,
       {"{}", "{a}", "{a,b}", "{\"a,b\"}", "{NULL}", "{\"NULL\"}", "{\"\"}", "{\"\\\"\"}", "{\"\\\\\"}", "{*,%}",
        "{{a,b},{c,d}}", "{\" \"}", "{\"{\",\"}\"}", "{\"(\",\")\"}", "{é}"},
       "",
       "text"},
      {"tza",
       "timestamptz[]",
       kPlain | kArray,
       {"{}", "{infinity}", "{\"2024-03-31 01:00:00+00\"}", "{\"2024-10-27 00:30:00+00\",NULL}",
        "{\"0044-03-15 12:00:00+00 BC\"}"},
       "",
       "timestamptz"},
      {"numa",
       "numeric[]",
       kEqual | kOrdered | kSame | kArray,
       {"{}", "{1.0}", "{1.00,NaN}", "{0.1,NULL}", "{1}"},
       "",
       "numeric"},
      {"mooda", "diff_mood[]", kPlain | kArray, {"{}", "{sad}", "{\"so, so\",ok}", "{NULL,happy}"}, "", "diff_mood"},
      {"ir",
       "int4range",
       kPlain | kRange,
       {"empty", "[1,5)", "[1,5]", "(,10)", "[3,)", "(,)", "[5,6)", "[-10,0)", "[6,10)"},
       "",
       "int4"},
      {"nr",
       "numrange",
       kEqual | kOrdered | kSame | kRange,
       {"empty", "[1.0,2.00)", "[1,2.0)", "(0.1,)", "(,NaN)", "[2,3]"},
       "",
       "numeric"},
      {"dr",
       "daterange",
       kPlain | kRange,
       {"empty", "[2024-01-01,2024-02-01)", "[2024-02-01,)", "(,infinity)", "[0044-03-15 BC,2000-01-01)"},
       "",
       "date"},
      {"tzr",
       "tstzrange",
       kPlain | kRange,
       {"empty", "[\"2024-03-31 01:00:00+00\",\"2024-10-27 01:00:00+00\")", "(,\"2024-03-31 01:00:00+00\"]", "(,)",
        "[\"2000-01-01 00:00:00+00\",infinity]"},
       "",
       "timestamptz"},
      {"tsr",
       "tsrange",
       kPlain | kRange,
       {"empty", "[\"2024-03-31 02:30:00\",\"2024-10-27 01:00:00\")", "(,)", "[\"2001-02-03 04:05:06\",]"},
       "",
       "timestamp"},
      {"imr",
       "int4multirange",
       kPlain | kMultirange,
       {"{}", "{[1,3),[5,9)}", "{(,)}", "{[1,2)}", "{[5,6)}", "{(,0)}"},
       "",
       "int4"},
      {"pt", "point", 0, {"(0,0)", "(1,2)", "(-1.5,1e10)"}},
      {"bx", "box", 0, {"(1,1),(0,0)", "(5,6),(2,3)"}},
      {"ls", "lseg", 0, {"[(0,0),(1,1)]"}},
      {"pth", "path", 0, {"((0,0),(1,1),(2,0))", "[(0,0),(1,1)]"}},
      {"pg", "polygon", 0, {"((0,0),(1,1),(2,0))"}},
      {"ln", "line", 0, {"{1,-1,0}"}},
      {"cc", "circle", 0, {"<(0,0),5>", "<(1,2),0>"}},
  };
}

std::vector<Type> MakeTypes() {
  std::vector<Type> all;
  for (auto make : {Numbers, Texts, Times, Compounds}) {
    for (Type &type : make())
      all.push_back(std::move(type));
  }
  return all;
}

}  // namespace

const std::vector<Type> &Types() {
  static const std::vector<Type> types = MakeTypes();
  return types;
}

const Type &TypeOf(const std::string &name) {
  for (const Type &type : Types()) {
    if (type.name == name) return type;
  }
  throw std::logic_error("no type " + name);
}

std::string Canonical(const Type &type, const std::string &sql) {
  if (type.canonical.empty()) return sql;
  std::string result = type.canonical;
  return result.replace(result.find('%'), 1, sql);
}

}  // namespace differential
