// The kernel's side, asked seldom: it walks its table of sockets.

const kernelEvery = 5000;
let kernelAsked = -kernelEvery;

function kernelTable({service, listen, compared}, several) {
  const figure = (value) => element("td", {}, value === null ? "–" : format.count(value));
  const head = ["", "server", "kernel"].map((name) => element("th", {scope: "col"}, name));
  return [
    several ? element("h3", {}, service, " ", element("small", {}, listen)) : null,
    element(
      "table",
      {class: "small figures"},
      element("thead", {}, element("tr", {}, head)),
      element(
        "tbody",
        {},
        compared.map(({what, application, kernel}) =>
          element("tr", {}, element("th", {scope: "row"}, what), figure(application), figure(kernel)),
        ),
      ),
    ),
  ];
}

function showKernel({kernel_error, network, services}) {
  const several = services.length > 1;
  show(
    at("kernel"),
    kernel_error ? element("p", {class: "empty"}, kernel_error) : null,
    services.map((service) => kernelTable(service, several)),
    network
      ? element("p", {class: "aside"}, `In this network namespace: ${format.count(network.sockets_in_use)} TCP sockets, ${format.count(network.time_wait)} in TIME_WAIT.`)
      : null,
  );
}

async function lookAtKernel() {
  if (performance.now() - kernelAsked < kernelEvery) return;
  kernelAsked = performance.now();
  showKernel(await ask("/kernel"));
}
