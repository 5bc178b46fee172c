// The C++ standard library over the file system: std::filesystem and file streams.
#include "steps.h"
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

static void print_error(const char *call, const std::error_code &error) {
  say("%s: %s", call, error ? error_name(error.value()) : "ok");
}

CASE(streams) {
  {
    std::ofstream out("a");
    out << "line " << 1 << "\nline " << 2.5 << "\n";
  }
  std::ifstream in("a");
  std::string line;
  while (std::getline(in, line)) TEXT("line", line.c_str());
  HOLDS(in.eof());
  std::fstream both("a", std::ios::in | std::ios::out);
  both.seekp(5);
  both << "X";
  both.seekg(0);
  std::stringstream all;
  all << both.rdbuf();
  TEXT("all", all.str().c_str());
  std::ofstream more("a", std::ios::app);
  more << "end";
  more.close();
  std::ifstream missing("no");
  HOLDS(!missing.is_open());
  cat("a");
}

CASE(paths) {
  std::error_code error;
  HOLDS(fs::create_directories("x/y/z", error));
  print_error("create_directories", error);
  HOLDS(!fs::create_directories("x/y/z", error));
  { std::ofstream("x/y/file") << "hello"; }
  HOLDS(fs::exists("x/y/file"));
  HOLDS(!fs::exists("x/no"));
  HOLDS(fs::is_directory("x/y"));
  HOLDS(fs::is_regular_file("x/y/file"));
  CALL(fs::file_size("x/y/file"));
  fs::create_symlink("file", "x/y/link", error);
  print_error("create_symlink", error);
  HOLDS(fs::is_symlink("x/y/link"));
  TEXT("target", fs::read_symlink("x/y/link").c_str());
  HOLDS(fs::equivalent("x/y/file", "x/y/link"));
  std::vector<std::string> names;
  for (const auto &entry : fs::recursive_directory_iterator("x")) names.push_back(entry.path().string());
  std::sort(names.begin(), names.end());
  for (const auto &name : names) TEXT("entry", name.c_str());
  fs::resize_file("x/y/file", 3, error);
  print_error("resize_file", error);
  cat("x/y/file");
  fs::rename("x/y/file", "x/moved", error);
  print_error("rename", error);
  fs::copy_file("x/moved", "x/copy", error);
  print_error("copy_file", error);
  cat("x/copy");
  fs::copy_file("x/moved", "x/copy", error);
  print_error("copy_file again", error);
  fs::permissions("x/copy", fs::perms::owner_read, fs::perm_options::replace, error);
  print_error("permissions", error);
  show("x/copy");
  fs::remove("x/y", error);
  print_error("remove", error);
  fs::remove("x/no", error);
  print_error("remove nothing", error);
  auto time = fs::last_write_time("x/moved", error);
  print_error("last_write_time", error);
  fs::last_write_time("x/moved", time - std::chrono::hours(1), error);
  print_error("last_write_time", error);
  HOLDS(fs::last_write_time("x/moved") < time);
  CALL(fs::remove_all("x", error));
  print_error("remove_all", error);
  fs::directory_iterator nothing("x", error);
  print_error("directory_iterator", error);
  list(".");
}

CASE(working_directory) {
  std::error_code error;
  fs::create_directory("d", error);
  fs::current_path("d", error);
  print_error("current_path", error);
  TEXT("name", fs::current_path().filename().c_str());
  TEXT("relative", fs::relative(fs::absolute("x/../y"), fs::current_path().parent_path()).c_str());
  TEXT("canonical", fs::canonical("../d").filename().c_str());
  HOLDS(fs::canonical("no", error).empty());
  print_error("canonical", error);
  auto space = fs::space(".", error);
  print_error("space", error);
  HOLDS(space.capacity >= space.free && space.free >= space.available);
}

extern "C" {
PROGRAM(cxx, C(streams), C(paths), C(working_directory))
extern const Program programs[] = {{"cxx", program_cxx}, {NULL, NULL}};
}
