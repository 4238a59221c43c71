// Threads by the C++ library: std::thread, atomics, futures, and an exception that passes from one
// to another.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <future>
#include <thread>
#include <vector>

int main() {
    std::atomic<long> sum{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 20; i++)
        threads.emplace_back([&] {
            for (int k = 0; k < 10000; k++) sum++;
        });
    for (auto &thread : threads) thread.join();
    std::promise<int> given; // not before the wait is over, however late the host lets it end
    auto slow = std::async(std::launch::async, [&] { return given.get_future().get(); });
    if (slow.wait_for(std::chrono::milliseconds(1)) != std::future_status::timeout) return 2;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    given.set_value(5);
    int caught = 0;
    try {
        std::async(std::launch::async, []() -> int { throw 3; }).get();
    } catch (int e) { caught = e; }
    std::printf("%ld %d %d\n", sum.load(), slow.get(), caught);
    return sum != 200000 || caught != 3;
}
