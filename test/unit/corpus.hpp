#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

// Runs a fuzz target over every file of its corpus and returns their number. A target throws where a property fails.
inline int RunCorpus(const char *name, int (*target)(const uint8_t *, size_t)) {
  int files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(std::string(CORPUS_DIR "/") + name)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    EXPECT_NO_THROW(target(reinterpret_cast<const uint8_t *>(text.data()), text.size())) << entry.path();
    ++files;
  }
  return files;
}
