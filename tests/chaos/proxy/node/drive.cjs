// Drives a fault proxy with the published client: node drive.cjs <api> <upstream>. Prints what it saw as JSON.
const net = require("node:net");
const { Toxiproxy } = require("toxiproxy-node-client");

const [api, upstream] = process.argv.slice(2);

function echoed(listen) {
  const [host, port] = listen.split(":");
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const socket = net.connect(Number(port), host, () => socket.write("hello"));
    socket.once("data", () => {
      socket.destroy();
      resolve(performance.now() - began);
    });
    socket.once("error", reject);
  });
}

async function failure(promise) {
  return promise.then(() => null, (error) => error.message ?? error.code);
}

async function main() {
  const seen = {};
  const server = new Toxiproxy(api);
  seen.version = JSON.parse(await server.getVersion()).version;
  const proxy = await server.createProxy({ name: "node", listen: "127.0.0.1:0", upstream });
  seen.created = proxy.toJson();
  seen.conflict = await failure(server.createProxy({ name: "node", listen: "127.0.0.1:0", upstream }));
  await echoed(proxy.listen);

  const toxic = await proxy.addToxic({
    name: "slow", type: "latency", stream: "downstream", toxicity: 1, attributes: { latency: 150, jitter: 0 },
  });
  seen.toxic = toxic.toJson();
  seen.slow_ms = await echoed(proxy.listen);
  const changed = await toxic.update({ attributes: { latency: 1, jitter: 0 }, toxicity: 1 });
  seen.changed = changed.attributes.latency;
  seen.found = (await proxy.getToxic("slow")).attributes.latency;
  await toxic.remove();
  seen.removed = await failure(proxy.getToxic("slow"));

  const down = await proxy.update({ enabled: false, listen: proxy.listen, upstream });
  seen.down = down.enabled;
  seen.refused = await failure(echoed(proxy.listen));
  await server.reset();
  seen.up = (await server.get("node")).enabled;

  const populated = await server.populate([
    { name: "node", listen: proxy.listen, upstream },
    { name: "more", listen: "127.0.0.1:0", upstream },
  ]);
  seen.populated = Object.keys(populated).sort();
  seen.all = Object.keys(await server.getAll()).sort();
  await proxy.remove();
  seen.gone = await failure(server.get("node"));
  console.log(JSON.stringify(seen));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
