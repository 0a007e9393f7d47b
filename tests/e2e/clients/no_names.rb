# Net::HTTP looks up every host, also those that it leaves to a proxy; no test asks a name server.
require 'socket'

class << IPSocket
  def getaddress(host)
    raise SocketError, "#{host} is not looked up in tests"
  end
end
