// C++: constructors, exceptions through several frames, iostream, containers, sorting.
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

struct Noisy {
    explicit Noisy(int &count) : count(count) { ++count; }
    ~Noisy() { --count; }
    int &count;
};

static std::vector<std::string> words{"late", "early", "middle"}; // before main

static int thrower(int depth, int &alive) {
    Noisy noisy(alive);
    if (depth == 0) throw std::runtime_error("thrown from depth 0");
    return thrower(depth - 1, alive) + 1;
}

int main() {
    int alive = 0;
    try {
        thrower(20, alive);
        return 1;
    } catch (const std::exception &e) {
        std::cout << "caught: " << e.what() << ", alive " << alive << std::endl;
    }
    std::sort(words.begin(), words.end());
    std::map<std::string, std::unique_ptr<int>> lengths;
    for (auto &word : words) lengths[word] = std::make_unique<int>(word.size());
    for (auto &[word, length] : lengths) std::cout << word << ' ' << *length << '\n';
    try {
        std::cout << words.at(3);
    } catch (const std::out_of_range &) {
        std::cout << "cpp ok" << std::endl;
        return alive;
    }
    return 1;
}
