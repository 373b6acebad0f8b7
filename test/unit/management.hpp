#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "catalogue.hpp"
#include "error.hpp"
#include "management_write.hpp"
#include "message.hpp"

namespace test {

// Tables and operations of the catalogue that is built in.
inline const supabase::ApiTable &Table(const std::string &name) {
  const supabase::ApiTable *const table = supabase::Catalogue::Get().FindTable(name);
  if (table == nullptr) throw supabase::Error("XXXXX", "no table " + name);
  return *table;
}

inline const supabase::ApiOperation &Operation(const std::string &id) {
  const supabase::ApiOperation *const operation = supabase::Catalogue::Get().FindOperation(id);
  if (operation == nullptr) throw supabase::Error("XXXXX", "no operation " + id);
  return *operation;
}

inline size_t Column(const supabase::ApiTable &table, const std::string &name) {
  const int column = table.FindColumn(name);
  if (column < 0) throw supabase::Error("XXXXX", "no column " + name);
  return static_cast<size_t>(column);
}

inline supabase::Response Reply(int status, std::string body,
                                std::vector<std::pair<std::string, std::string>> headers = {}) {
  supabase::Response response;
  response.status = status;
  response.body = std::move(body);
  response.headers = std::move(headers);
  return response;
}

// What `run` throws, as it must.
inline supabase::Error Thrown(const std::function<void()> &run) {
  try {
    run();
  } catch (const supabase::Error &error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {"XXXXX", "no error"};
}

}  // namespace test
