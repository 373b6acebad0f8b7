#include "whole_rows.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace supabase {
namespace {

const std::vector<SelectColumn> kSelect = {{"id"}, {"tags", true}, {"na\"me"}};

std::optional<std::string> Alias(const std::string &body) {
  return AliasWholeRows(body, kSelect);
}

TEST(WholeRows, ColumnsAreFoundByName) {
  EXPECT_EQ(Alias(R"([{"id":1,"tags":["x"],"na\"me":null,"c1":"{x}"}])"), R"([{"c0":1,"c1":"{x}","c2":null}])");
  EXPECT_EQ(Alias(R"([{"na\u0022me":"b", "more" : {"id":9}, "id":1.50 ,"c1":null}])"),
            R"([{"c0":1.50,"c1":null,"c2":"b"}])");
  EXPECT_EQ(Alias("[]"), "[]");
  EXPECT_EQ(Alias("[{\"id\":1,\"na\\\"me\":2,\"c1\":3}, \n {\"na\\\"me\":5,\"id\":4,\"c1\":6}]"),
            R"([{"c0":1,"c1":3,"c2":2},{"c0":4,"c1":6,"c2":5}])");
}

// A relation may have a column that is called as an alias is: the alias comes after all columns.
TEST(WholeRows, ColumnsCalledLikeAnAlias) {
  EXPECT_EQ(Alias(R"([{"c1":"own","id":1,"na\"me":2,"c1":"text"}])"), R"([{"c0":1,"c1":"text","c2":2}])");
  EXPECT_EQ(AliasWholeRows(R"([{"c1":"own","c0":2,"c1":"text"}])", {{"c1"}, {"j", true}}),
            R"([{"c0":"own","c1":"text"}])");
}

TEST(WholeRows, LackingColumnsAreNone) {
  EXPECT_EQ(Alias(R"([{"id":1,"c1":"{x}"}])"), std::nullopt);
  EXPECT_EQ(Alias(R"([{"id":1,"na\"me":2,"tags":["x"]}])"), std::nullopt);
  EXPECT_EQ(Alias(R"([{"id":1,"na\"me":2,"c1":3},{}])"), std::nullopt);
  // The aliased columns are not looked for among the others.
  EXPECT_EQ(AliasWholeRows(R"([{"id":1,"c0":2}])", {{"c0"}, {"c1"}, {"id"}}), std::nullopt);
}

TEST(WholeRows, OtherTextStaysAsItIs) {
  for (const char *body : {"", "{", "null", "[1]", R"([{"id":1)", R"([{"id":1,"na\"me":2,"c1":3}] x)",
                           R"({"message":"no"})", R"([{"id":}])"}) {
    EXPECT_EQ(Alias(body), body);
  }
}

}  // namespace
}  // namespace supabase
