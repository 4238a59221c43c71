// C++'s threads: std::thread, async, promises, call_once, condition variables with timeouts,
// exceptions that cross from one thread to another, thread-local objects with destructors, atomic
// waiting.
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <future>
#include <iostream>
#include <map>
#include <mutex>
#include <numeric>
#include <semaphore>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> made, destroyed;

struct Local {
    Local() { ++made; }
    ~Local() { ++destroyed; }
    std::string text = "local";
};
static thread_local Local local;

#define WANT(condition)                                                                            \
    if (!(condition)) throw std::logic_error(std::to_string(__LINE__) + ": " #condition)

static long sum_of(const std::vector<long> &all, size_t from, size_t to, int depth) {
    if (depth == 0) return std::accumulate(all.begin() + (long)from, all.begin() + (long)to, 0l);
    size_t middle = (from + to) / 2;
    auto left = std::async(std::launch::async, sum_of, std::cref(all), from, middle, depth - 1);
    long right = sum_of(all, middle, to, depth - 1);
    return left.get() + right;
}

static void run(int threads) {
    std::vector<long> numbers(100000);
    std::iota(numbers.begin(), numbers.end(), 1);
    WANT(sum_of(numbers, 0, numbers.size(), 4) == 5000050000);

    std::vector<std::thread> all;
    std::map<int, std::string> names;
    std::mutex mutex;
    std::once_flag once;
    int onces = 0;
    std::barrier meeting(threads);
    std::counting_semaphore<> seats(2);
    std::atomic<int> seated{0}, phase{0};
    for (int i = 0; i < threads; i++)
        all.emplace_back([&, i] {
            local.text += std::to_string(i);
            std::call_once(once, [&] { onces++; });
            for (int round = 0; round < 50; round++) {
                seats.acquire();
                if (++seated > 2) std::abort();
                --seated;
                seats.release();
                meeting.arrive_and_wait();
            }
            phase.wait(0); // until the main thread says so
            std::lock_guard<std::mutex> lock(mutex);
            names[i] = local.text;
        });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    phase = 1;
    phase.notify_all();
    for (auto &thread : all) thread.join();
    WANT(onces == 1 && (int)names.size() == threads &&
         names[threads - 1] == "local" + std::to_string(threads - 1));
    WANT(made == threads && destroyed == threads);

    std::vector<std::future<int>> failing;
    for (int i = 0; i < threads; i++)
        failing.push_back(std::async(std::launch::async, [i]() -> int {
            if (i % 2) throw std::runtime_error("thrown by " + std::to_string(i));
            return i;
        }));
    for (int i = 0; i < threads; i++) try {
            WANT(failing[(size_t)i].get() == i && i % 2 == 0);
        } catch (const std::runtime_error &e) {
            WANT(e.what() == "thrown by " + std::to_string(i));
        }

    std::promise<std::string> promise;
    auto said = promise.get_future();
    WANT(said.wait_for(std::chrono::milliseconds(10)) == std::future_status::timeout);
    std::thread teller([&] { promise.set_value("said"); });
    WANT(said.get() == "said");
    teller.join();

    std::condition_variable_any changed;
    std::shared_mutex shared;
    std::vector<int> queue;
    std::thread maker([&] {
        for (int i = 0; i < 1000; i++) {
            std::unique_lock<std::shared_mutex> lock(shared);
            queue.push_back(i);
            changed.notify_one();
        }
    });
    for (size_t taken = 0; taken < 1000;) {
        std::unique_lock<std::shared_mutex> lock(shared);
        changed.wait_for(lock, std::chrono::seconds(60), [&] { return queue.size() > taken; });
        WANT(queue.size() > taken);
        for (; taken < queue.size(); taken++) WANT(queue[taken] == (int)taken);
    }
    maker.join();
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? std::stoi(argv[1]) : 4;
    try {
        run(threads);
        std::cout << "C++ threads ok: " << threads << std::endl;
        return 0;
    } catch (const std::exception &e) { std::cout << "failed: " << e.what() << std::endl; }
    return 1;
}
