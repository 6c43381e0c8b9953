// Node's `ws` as a server: sends to everyone as often as a line on standard input says.
import { createInterface } from "node:readline";
import { WebSocketServer } from "ws";

const [port, text] = process.argv.slice(2);
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), perMessageDeflate: false });
for await (const line of createInterface({ input: process.stdin })) {
  for (let sent = 0; sent < Number(line); sent += 1) {
    for (const client of server.clients) client.send(text);
  }
}
