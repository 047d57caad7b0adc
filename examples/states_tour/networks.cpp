#include "networks.hpp"

networks make_networks() {
  networks made{.made_by_root = !become_root()};
  made.wire.enter();
  configure_network(
      "link add to_server type veth peer name eth0 address 02:00:00:00:00:01 netns " +
      made.server.path() +
      "\nlink add to_client type veth peer name eth0 address 02:00:00:00:00:02 netns " +
      made.client.path() + "\nlink set to_server up\nlink set to_client up\n");
  // Neighbours are told, so that nothing but TCP has to cross the wire.
  made.client.enter();
  configure_network(
      "address add 10.77.0.2/24 dev eth0\nlink set eth0 up\n"
      "neighbour add 10.77.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent\n");
  made.server.enter();
  configure_network(
      "address add 10.77.0.1/24 dev eth0\nlink set eth0 up\n"
      "neighbour add 10.77.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent\n");
  return made;
}
