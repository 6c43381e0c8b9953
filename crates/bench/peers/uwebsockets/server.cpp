// uWebSockets as a server: publishes to everyone as often as a line on standard input says.
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include "App.h"

struct NoData {};

int main(int argc, char **argv) {
    if (argc != 3) {
        std::cerr << "usage: uwebsockets PORT TEXT\n";
        return 2;
    }
    const int port = std::atoi(argv[1]);
    const std::string text = argv[2];
    uWS::Loop *loop = uWS::Loop::get();
    uWS::App app;
    app.ws<NoData>("/*", {
        .compression = uWS::DISABLED,
        .open = [](auto *client) { client->subscribe("load"); },
    }).listen("127.0.0.1", port, [](auto *listening) {
        if (!listening) std::exit(1);
    });
    // The loop's thread alone may publish; other threads hand it what to do.
    std::thread([&app, &text, loop] {
        std::string line;
        while (std::getline(std::cin, line)) {
            const int count = std::atoi(line.c_str());
            loop->defer([&app, &text, count] {
                for (int sent = 0; sent < count; ++sent) app.publish("load", text, uWS::OpCode::TEXT);
            });
        }
        std::_Exit(0);
    }).detach();
    app.run();
}
